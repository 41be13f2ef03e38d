FROM alpine
ADD https://user:secret@example.com/a /b
ADD https://token@example.com/a@b /c
ADD https://example.com/a@b /d
