FROM alpine
VOLUME /a /b
VOLUME ["/a b", "/c"]
VOLUME [ "/d" ]
VOLUME $e
VOLUME ["/f"
