# target mid
FROM alpine AS base
RUN a
FROM base AS Mid
RUN b
FROM app
COPY --from=mid a b
