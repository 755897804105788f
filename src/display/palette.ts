/** The colours of the official ARC viewer, by number. */
export const ARC_PALETTE = [
  '#000000',
  '#0074D9',
  '#FF4136',
  '#2ECC40',
  '#FFDC00',
  '#AAAAAA',
  '#F012BE',
  '#FF851B',
  '#7FDBFF',
  '#870C25',
] as const;

/** The lines between cells. */
export const GRID_LINE = '#555555';

/** Readable on white and on dark paper alike, so that pictures suit both. */
export const INK = '#7a818c';

/** Marks for right and wrong that do not rely on telling red from green (Okabe and Ito). */
export const RIGHT = '#0a9e73';
/** The counterpart of {@link RIGHT}. */
export const WRONG = '#d55e00';

/** Okabe and Ito's palette for plots, told apart with any kind of colour vision; darkest first. */
export const PLOT_COLORS = [
  '#0072B2',
  '#E69F00',
  '#009E73',
  '#CC79A7',
  '#D55E00',
  '#56B4E9',
  '#8a8f98',
] as const;
