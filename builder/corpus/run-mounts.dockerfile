FROM alpine
RUN --mount=type=bind,from=a,source=/b,target=/c,rw --mount=target=. x
RUN --mount=type=cache,target=/c,id=d,sharing=locked,mode=0700,uid=1,gid=2 --mount=type=cache,dst=/e,readonly x
RUN --mount=type=tmpfs,target=/t,size=64m x
RUN --mount=type=secret,id=s,required,mode=0440 --mount=type=secret,src=s,env=TOKEN,required=false x
RUN --mount=type=ssh --mount=type=ssh,id=x,required=true,target=/s x
RUN --mount=TYPE=Cache,Target=/x,ro=false,readwrite=false x
RUN --mount=type=bind,"target=/a,b",source="c" x
