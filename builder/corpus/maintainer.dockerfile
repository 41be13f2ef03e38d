FROM alpine
MAINTAINER A B <a@b.org>
