FROM alpine
MAINTAINER A <a@b>
