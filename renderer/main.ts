// The window's entry: makes the state, connects, and mounts the app. Everything else only declares.

import "@fontsource-variable/ibm-plex-sans/wght.css";
import "@fontsource/ibm-plex-mono/400.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { makeApp } from "./state/app.svelte.ts";

const app = makeApp();
app.connection.connect();
mount(App, { target: document.getElementById("app")!, props: { app } });
