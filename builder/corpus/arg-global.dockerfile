ARG a=1
ARG b
ARG c=$a d="x y" e='z'
FROM a:$a
ARG a
ARG f=
ARG g=""
