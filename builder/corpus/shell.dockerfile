FROM alpine
SHELL ["/bin/bash", "-c"]
SHELL ["a"]
