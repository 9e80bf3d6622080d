// One player sounds at a time; a mark or bar plays its player, and is outlined while that plays.
const players = [...document.querySelectorAll("audio")];

function outline(id, on) {
    for (const mark of document.querySelectorAll(`[data-plays="${CSS.escape(id)}"]`)) mark.classList.toggle("playing", on);
}

for (const player of players) {
    player.addEventListener("play", () => {
        for (const other of players) if (other !== player) other.pause();
        outline(player.id, true);
    });
    for (const event of ["pause", "ended"]) player.addEventListener(event, () => outline(player.id, false));
}

document.addEventListener("click", (event) => {
    const mark = event.target.closest("[data-plays]");
    const player = mark && document.getElementById(mark.dataset.plays);
    if (!player) return;
    if (!player.paused) return player.pause();
    if (mark.dataset.at) player.currentTime = Number(mark.dataset.at);
    player.play();
});
