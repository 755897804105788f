/** Takes the place of the audit of a training in a Kaggle notebook, which has no room for it. */
export async function noteStream(): Promise<void> {}
