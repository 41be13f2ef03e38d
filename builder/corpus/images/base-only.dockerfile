FROM app
