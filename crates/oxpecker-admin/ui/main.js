// Begins everything. What the page shows it shows without this; here come live values and changes.

import { startLive } from "./live.js";
import { startSearch, startSelection, startSorting } from "./table.js";
import { startActions } from "./act.js";
import { startCharts } from "./chart.js";

document.documentElement.classList.add("script");
startActions();
startSelection();
startSearch();
startSorting();
startCharts();
startLive();
