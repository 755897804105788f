/** Takes the place of the records of runs in a Kaggle notebook, which has no room for them. */
const unrecorded = <T>(_: object, run: () => Promise<T>): Promise<T> => run();

export {
  unrecorded as recordEvaluation,
  unrecorded as recordStart,
  unrecorded as recordSubmission,
  unrecorded as recordTraining,
};
