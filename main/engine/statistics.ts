// Statistics that are quick enough for the app's own process; they stand between services and native-models as readers.ts does.

export { bootstrapPValue, mcnemarExact, percentileInterval, resampledMeans, wilsonInterval, type Interval } from "../../native-models/probe/statistics.ts";
