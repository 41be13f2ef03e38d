FROM a as b
FROM c as b
FROM b
