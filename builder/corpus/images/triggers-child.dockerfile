FROM triggers AS a
RUN own
FROM a
RUN child
