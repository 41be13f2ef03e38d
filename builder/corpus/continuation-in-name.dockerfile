FROM alpine
RU\
N a
EN\
  V a=b
