FROM alpine AS base
RUN base
FROM base AS l
RUN l
FROM base AS r
RUN r
FROM scratch
COPY --from=l a b
COPY --from=R a b
