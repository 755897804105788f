/** A listener that keeps the notes of a flow. */
export const keepNotes =
  (notes: string[]) =>
  (event: { readonly type: string; readonly text?: string }): void => {
    if (event.type === 'note') notes.push(event.text!);
  };
