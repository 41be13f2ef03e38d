FROM app
CMD ["own"]
ENTRYPOINT ["/x"]
