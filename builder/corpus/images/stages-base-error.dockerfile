FROM ${A:?give A}
