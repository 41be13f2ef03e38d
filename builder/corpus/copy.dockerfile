FROM alpine
COPY a b
COPY a b c/ d/
COPY ["a b", "c"]
COPY --from=0 a b
COPY --from=base --chown=1:2 --chmod=u+x,g-w --link --parents --exclude=*.o --exclude=x/** a/./b c/
COPY *.go ?x [ab] /d/
