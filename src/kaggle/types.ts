/** What a bundle can do without, and what then has to be there on Kaggle. */
export const LEAVABLE = ['torch', 'wasm', 'comments'] as const;

/** What is to be built: `submission.json`. Everything has a default. */
export interface KaggleConfig {
  /** The account on Kaggle. */
  owner: string;
  /** The notebook's name in its address. */
  slug: string;
  /** The notebook's name as people read it; must give the slug. */
  title: string;
  /** The competition whose data is attached, and that is submitted to. */
  competition: string;
  /** Kaggle's name of the machine (`machine_shape`), or `none`; one of `machines` in machines.ts. */
  accelerator: string;
  /** Weights to attach: `owner/model/framework/variation/version`. */
  models: readonly string[];
  /** Data sets to attach: `owner/slug`. */
  datasets: readonly string[];
  /** Which of the attached models or data sets holds the model, where there are several. */
  model?: string;
  /** A data set with a Node.js (`arclab kaggle node-dataset`), in case Kaggle's image has none: `owner/slug`. */
  nodeDataset?: string;
  /** The image to run in: `original` keeps the one of the first push, `latest` follows; or its full name. */
  dockerImage?: string;
  /** Fields of kernel-metadata.json that no other option settles (`keywords`, `is_private`, …), passed on as they are. */
  metadata?: Readonly<Record<string, unknown>>;
  /** A data set to be made of files of one's own (weights, an adapter): its metadata is written too. */
  dataset?: { slug: string; title: string; license: string };
  /** `torch`, `wasm`; absent: the best one present. */
  backend?: string;
  /** How long the submission may take: `11.5h`. */
  timeBudget: string;
  /** How long it may take before it is submitted, when the challenges are placeholders. */
  draftTimeBudget: string;
  /** Options of the submission, as `submit` takes them. */
  submit: Readonly<Record<string, unknown>>;
  /** What to leave out when the notebook is too large. */
  leaveOut: readonly (typeof LEAVABLE)[number][];
}
