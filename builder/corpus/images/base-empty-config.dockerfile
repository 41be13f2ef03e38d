FROM registry.example.com/team/tool:1.2
RUN a
