FROM alpine
RUN a
FROM scratch AS alpine
COPY --from=0 a b
