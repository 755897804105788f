/** What Kaggle certainly takes, in bytes; it refuses more than a megabyte. */
export const MOST_BYTES = 900_000;
