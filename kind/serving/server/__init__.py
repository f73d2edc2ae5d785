"""A server for one machine that speaks TensorFlow Serving's protocols.

This room is the front: it accepts connections (`connections`, `front`, `origins`), counts and times requests
(`calls`), reads them (`rest`, `rpc`, `parsing`), checks them (`signatures`), queues and batches them
(`service`, `batching`), and answers.
It never imports TensorFlow. Each version of a model is a process (`version_process`, with
`kind.serving.worker` inside it), which the front starts and calls over pipes (`processes`, and `wire` of
`kind.serving`), and which `versions` starts and ends as folders come and go. So whatever a model takes or
does ends with its process.
"""
