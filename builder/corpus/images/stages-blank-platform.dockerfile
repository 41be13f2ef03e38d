FROM --platform=$A alpine
