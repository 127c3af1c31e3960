// What every page does. Pages work without it where they can: forms post, links lead somewhere.
import "./live.js";
import "./offline.js";
import "./sheet.js";
import "./clock.js";
import "./forms.js";
import "./toast.js";
import "./chat.js";
import "./theme.js";
import "./editor.js";
import "./agenda.js";
import "./search.js";
import "./push.js";

if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js");
