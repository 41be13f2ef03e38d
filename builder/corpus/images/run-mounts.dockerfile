FROM alpine
RUN --mount=type=cache,target=/c --mount=type=bind,from=app,source=/a,target=/b --mount=type=tmpfs,target=/t --mount=type=secret,id=s,env=S x
