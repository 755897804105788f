"""Records what ipykernel answers to debug_requests: python ipykernel.py > ipykernel.json

The first successful reply of each command (of debugInfo the last while the debugger runs) and the first event of each
kind, without the paths of the machine. Made with ipykernel 7.4.0 and debugpy 1.8.22.
"""
import json, os, re, sys, tempfile, time

from jupyter_client.manager import start_new_kernel
os.chdir(tempfile.mkdtemp())
open('helper.py','w').write('def triple(a):\n    b = a * 3\n    return b\n')
km, kc = start_new_kernel(kernel_name='python3')
log = []; seq = 0
def events(t=0.7):
    end = time.time()+t
    while time.time() < end:
        try: m = kc.get_iopub_msg(timeout=0.1)
        except Exception: continue
        if m['msg_type'] == 'debug_event': log.append({'event': m['content'], 'parent': m['parent_header'].get('msg_type')})
def ask(command, **arguments):
    global seq; seq += 1
    msg = kc.session.msg('debug_request', {'type':'request','seq':seq,'command':command,'arguments':arguments})
    kc.control_channel.send(msg)
    while True:
        r = kc.get_control_msg(timeout=20)
        if r['parent_header'].get('msg_id') == msg['header']['msg_id']: break
    log.append({'request': {'command':command,'arguments':arguments}, 'reply': r['content']})
    events(0.3)
    return r['content']
ask('debugInfo'); ask('stackTrace', threadId=1)
ask('initialize', clientID='t', adapterID='python', pathFormat='path', linesStartAt1=True, columnsStartAt1=True, supportsVariableType=True, supportsVariablePaging=True, locale='en')
ask('attach'); events(1)
cell = 'from helper import triple\ndef twice(a):\n    b = a * 2\n    return b\nitems = [1, 2, {"k": "v"}]\nn = twice(4)\nm = triple(n)\nprint(n, m)'
path = ask('dumpCell', code=cell)['body']['sourcePath']
ask('setBreakpoints', source={'path': path}, breakpoints=[{'line': 6}], sourceModified=False)
ask('configurationDone')
kc.execute(cell); events(2.5)
st = ask('stackTrace', threadId=1)
f = st['body']['stackFrames'][0]['id']
sc = ask('scopes', frameId=f)
v = ask('variables', variablesReference=sc['body']['scopes'][0]['variablesReference'])
for x in v['body']['variables']:
    if x['name']=='items': ask('variables', variablesReference=x['variablesReference'])
ask('evaluate', expression='items[0] + 1', frameId=f, context='repl')
ask('evaluate', expression='nowhere', frameId=f, context='repl')
ask('richInspectVariables', variableName='items', frameId=f)
ask('stepIn', threadId=1); events(1)
ask('stackTrace', threadId=1)
ask('next', threadId=1); events(1)
ask('stepOut', threadId=1); events(1)
ask('debugInfo')
ask('source', source={'path': path}, sourceReference=0)
ask('source', source={'path': '/nowhere.py'}, sourceReference=0)
ask('threads')
ask('continue', threadId=1); events(1.5)
ask('inspectVariables')
ask('richInspectVariables', variableName='items')
ask('richInspectVariables', variableName='not valid')
ask('modules')
ask('setBreakpoints', source={'path': '/nowhere.py'}, breakpoints=[{'line': 6}])
ask('setExceptionBreakpoints', filters=['raised']); 
kc.execute('def bad():\n    raise ValueError("no")\nbad()'); events(1.5)
ask('exceptionInfo', threadId=1)
ask('setExceptionBreakpoints', filters=[]);
ask('continue', threadId=1); events(1.5)
ask('unknownCommand')
ask('disconnect', restart=False, terminateDebuggee=False)
ask('debugInfo')
km.shutdown_kernel(now=True)


def scrub(x):
    if isinstance(x, dict):
        return {k: scrub(v) for k, v in x.items()}
    if isinstance(x, list):
        return [scrub(v) for v in x]
    if isinstance(x, str):
        x = re.sub(r"/tmp/ipykernel_\d+", "/tmp/ipykernel_1", x)
        return re.sub(r"/(opt|root|usr|home)/\S+", "/python", x)
    return x

kept = {}
for entry in log:
    if 'request' in entry:
        command, reply = entry['request']['command'], entry['reply']
        if command == 'modules' or not reply.get('success'): continue
        if command not in kept or (command == 'debugInfo' and reply['body']['isStarted']): kept[command] = reply
    elif entry['event']['event'] in ('stopped', 'continued'):
        event = entry['event']
        kept.setdefault(event['event'] + ':' + event['body'].get('reason', ''), event)
json.dump(scrub(kept), sys.stdout, indent=2)
