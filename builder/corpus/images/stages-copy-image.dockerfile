FROM scratch
COPY --from=app /a /b
COPY --from=registry.example.com/team/tool:1.2 /c /d
