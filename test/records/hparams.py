"""Starts TensorBoard on a folder, asks its HParams page over HTTP what it shows, and prints that as JSON."""
import json
import sys
import time
import urllib.request

from tensorboard import program

board = program.TensorBoard()
board.configure(argv=[None, "--logdir", sys.argv[1], "--port", "0", "--load_fast", "false"])
url = board.launch()


def ask(path, **body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{url}data/plugin/hparams/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


answer = {}
for _ in range(60):
    # the folder is read in the background
    try:
        experiment = ask("experiment", includeMetrics=True)
        metrics = [{"metric": info["name"]} for info in experiment.get("metricInfos", [])]
        groups = ask(
            "session_groups",
            startIndex=0,
            sliceSize=100,
            colParams=metrics,
            allowedStatuses=["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
        )
        answer = {"experiment": experiment, "groups": groups.get("sessionGroups", [])}
        if metrics and len(answer["groups"]) >= int(sys.argv[2]):
            break
    except urllib.error.HTTPError as error:
        answer = {"error": error.read().decode()}
    time.sleep(0.5)
print(json.dumps(answer))
