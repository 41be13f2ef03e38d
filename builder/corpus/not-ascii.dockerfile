FROM alpine
ENV grüße="schöne Grüße" b=日本
LABEL ключ=значение
RUN echo “hi” 😀
USER jö
