/** One of each kind, for readers that take a while. */
export const hostileKinds = ['../evil', '/etc/evil', 'C:\\evil', 'evil\0.json'];

/** Names that a file, archive or server could tell, and that must never become a path outside of a folder. */
export const hostileNames = [
  ...['../evil', 'a/../../evil', '..', '.', './evil', 'a//evil', '', '/evil', '/etc/evil'],
  ...[
    'C:\\evil',
    'C:/evil',
    'a\\..\\..\\evil',
    '\\\\server\\evil',
    'evil\0.json',
    'evil\n',
    'nul',
    'COM1.txt',
  ],
];
