#!/usr/bin/env node
// Behaves as Kaggle's command line does (2.x): the same checks before anything is sent, the same words, the same exit
// codes. What the server would answer is in the file named by FAKE_KAGGLE; the calls are added to it.
const fs = require('node:fs');
const path = require('node:path');

const file = process.env.FAKE_KAGGLE;
const server = JSON.parse(fs.readFileSync(file, 'utf8'));
const [group, action, ...rest] = process.argv.slice(2);
server.calls = [...(server.calls ?? []), [group, action, ...rest]];
fs.writeFileSync(file, JSON.stringify(server));

const flags = {};
const words = [];
for (let i = 0; i < rest.length; i++) {
  if (/^-/.test(rest[i])) flags[rest[i]] = rest[i === rest.length - 1 ? i : ++i];
  else words.push(rest[i]);
}
/** An exception of Python's that nothing catches. */
function raise(message, type = 'ValueError') {
  process.stderr.write(`Traceback (most recent call last):\n  File "kaggle", line 1\n${type}: ${message}\n`);
  process.exit(1);
}
const list = (names) => `[${names.map((name) => `'${name}'`).join(', ')}]`;
const read = (folder, name) => {
  if (!fs.existsSync(path.join(folder, name))) raise(`Metadata file not found: ${name}`);
  return JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8'));
};

const commands = {
  'kernels push': () => {
    const metadata = read(flags['-p'], 'kernel-metadata.json');
    if (metadata.title.length < 5) raise('Title must be at least five characters');
    if (!fs.existsSync(path.join(flags['-p'], metadata.code_file))) raise('Source file not found');
    const slug = metadata.title.toLowerCase().replace(/[^a-z0-9]+/g, '-');
    if (metadata.id.split('/')[1] !== slug)
      console.log(
        'Your kernel title does not resolve to the specified id. This may result in surprising behavior.',
      );
    const { error, invalidDatasets = [], version = 1 } = server.push ?? {};
    if (error !== undefined) return console.log(`Kernel push error: ${error}`);
    if (invalidDatasets.length > 0)
      console.log(
        `The following are not valid dataset sources and could not be added to the kernel: ${list(invalidDatasets)}`,
      );
    const url = `https://www.kaggle.com/code/${metadata.id}`;
    if (version === null) console.log(`Kernel version successfully pushed.  Please check progress at ${url}`);
    else console.log(`Kernel version ${version} successfully pushed.  Please check progress at ${url}`);
  },
  'kernels status': () => {
    // one answer for each time that it is asked, the last one for ever
    const answers = server.status ?? [];
    const asked = server.calls.filter(([a, b]) => a === 'kernels' && b === 'status').length;
    const { status, message } = answers[Math.min(asked, answers.length) - 1] ?? {};
    if (status === undefined)
      raise(`Cannot access kernel '${words[0]}' (Permission 'kernels.get' was denied).`);
    console.log(`${words[0]} has status "${status}"`);
    if (message) console.log(`Failure message: "${message}"`);
  },
  'kernels output': () => {
    const folder = flags['-p'];
    for (const [name, text] of Object.entries(server.output ?? {})) {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), text);
      console.log(`Output file downloaded to ${path.join(folder, name)}`);
    }
  },
  'datasets status': () => {
    const status = server.datasets?.[words[0]];
    if (status === undefined) raise('403 Client Error: Forbidden', 'requests.exceptions.HTTPError');
    console.log(status);
  },
  'datasets create': () => upload('private'),
  'datasets version': () => upload(undefined),
  'competitions submissions': () => {
    const rows = server.submissions ?? [];
    if (rows.length === 0) return console.log('No submissions found');
    console.log('fileName  date  description  status  publicScore  privateScore');
    console.log('--------  ----  -----------  ------  -----------  ------------');
    for (const row of rows) console.log(row);
  },
  'competitions submit': () => {
    if (!flags['-f']) raise('No file specified');
    if (Boolean(flags['-k']) !== Boolean(flags['-v']))
      raise('Code competition submissions require both the output file name and the version label');
    const { notFound, refused, message = 'Successfully submitted', remaining } = server.submit ?? {};
    if (notFound)
      return console.log(
        'Could not find competition - please verify that you entered the correct competition ID and that the competition is still accepting submissions.',
      );
    if (refused) raise(`400 Client Error: ${refused}`, 'requests.exceptions.HTTPError');
    if (remaining !== undefined) console.log(`${remaining} submissions remaining today.`);
    console.log(message);
  },
};

function upload(privacy) {
  const folder = flags['-p'];
  const metadata = read(folder, 'dataset-metadata.json');
  const [, slug] = metadata.id.split('/');
  const mode = flags['--dir-mode'] ?? flags['-r'] ?? 'skip';
  if (privacy) {
    if (slug.length < 6 || slug.length > 50) raise('The dataset slug must be between 6 and 50 characters');
    if (metadata.title.length < 6 || metadata.title.length > 50)
      raise('The dataset title must be between 6 and 50 characters');
    if (metadata.licenses.length !== 1) raise('Please specify exactly one license');
    if (server.datasets?.[metadata.id] !== undefined)
      return console.log(
        `Dataset creation error: The requested title "${metadata.title}" is already in use by a dataset. Please choose another title.`,
      );
  }
  for (const name of fs.readdirSync(folder).sort()) {
    if (name === 'dataset-metadata.json' || name === 'kernel-metadata.json') continue;
    const isFolder = fs.statSync(path.join(folder, name)).isDirectory();
    if (isFolder && mode === 'skip') {
      console.log(`Skipping folder: ${name}; use '--dir-mode' to upload folders`);
      continue;
    }
    console.log(`Starting upload for file ${name}`);
    const failed = (server.failedUploads ?? []).includes(name);
    console.log(failed ? `Upload unsuccessful: ${name}` : `Upload successful: ${name} (1KB)`);
  }
  const url = `https://www.kaggle.com/datasets/${metadata.id}`;
  if (server.datasetError)
    return console.log(`Dataset ${privacy ? 'creation' : 'version creation'} error: ${server.datasetError}`);
  console.log(
    privacy
      ? `Your ${privacy} Dataset is being created. Please check progress at ${url}`
      : `Dataset version is being created. Please check progress at ${url}`,
  );
}

const command = commands[`${group} ${action}`];
if (command === undefined) {
  process.stderr.write(`usage: kaggle [-h] ...\nkaggle: error: invalid choice: '${group} ${action}'\n`);
  process.exit(2);
}
command();
