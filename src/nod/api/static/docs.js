// Gives the viewer Nod's colours, by day and by night.
"use strict";

const looks = {
  light: {
    theme: "light",
    "bg-color": "#faf9f7",
    "text-color": "#1c1a17",
    "nav-bg-color": "#f1efeb",
    "nav-text-color": "#5d5850",
    "nav-hover-bg-color": "#e4e1db",
    "nav-hover-text-color": "#1c1a17",
    "primary-color": "#3b5bdb",
  },
  dark: {
    theme: "dark",
    "bg-color": "#151412",
    "text-color": "#f1eee8",
    "nav-bg-color": "#191815",
    "nav-text-color": "#b5aea2",
    "nav-hover-bg-color": "#33302b",
    "nav-hover-text-color": "#f1eee8",
    "primary-color": "#7c95ff",
  },
};

const dark = window.matchMedia("(prefers-color-scheme: dark)");

function dress() {
  const viewer = document.querySelector("rapi-doc");
  for (const [name, value] of Object.entries(looks[dark.matches ? "dark" : "light"])) {
    viewer.setAttribute(name, value);
  }
}

dress();
dark.addEventListener("change", dress);
