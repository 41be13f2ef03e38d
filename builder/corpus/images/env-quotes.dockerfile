FROM alpine
ENV A="b \"c\" $BASE" B='$BASE' C=d\ e D=\$BASE
RUN x
