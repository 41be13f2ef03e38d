ARG A=al
ARG B=${A}pine C=${A%l}
FROM ${B}
ARG C
ENV X=$C
