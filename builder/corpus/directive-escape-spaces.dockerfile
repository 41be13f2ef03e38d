# escape=   
FROM alpine
