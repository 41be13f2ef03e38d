FROM alpine AS Base
RUN a
FROM base
RUN b
