FROM alpine
COPY --chmod=0644 --chown=$U:g --link=false a $BASE "c d" /x/
COPY --parents a/./b /c
COPY --from=app /a /b
ADD a.tar /x
ADD --chown=1 https://example.com/a /b
COPY <<a <<"b" /d/
1
a
2
b
COPY ["e f", "g"]
ADD --link a b
