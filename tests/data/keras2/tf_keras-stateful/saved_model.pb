:
"
_tf_keras_network