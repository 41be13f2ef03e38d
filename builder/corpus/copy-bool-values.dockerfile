FROM alpine
COPY --link=true --parents=FALSE a b
COPY --link=False a b
COPY --link=TRUE --parents a b
