// What every page runs, beside htmx and before any island.
import { sendCsrfToken } from "./csrf";
import { openDialogs } from "./dialogs";
import { checkFields } from "./forms";
import { loadIslands } from "./loader";
import { closeMenus } from "./menus";
import { keepOpenStates } from "./morph";
import { tellNetworkErrors, timeToasts } from "./toasts";

sendCsrfToken();
keepOpenStates();
openDialogs();
closeMenus();
checkFields();
timeToasts();
tellNetworkErrors();
loadIslands();
