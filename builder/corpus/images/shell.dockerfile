FROM alpine
RUN a
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN b
CMD c
ENTRYPOINT d
RUN ["e"]
