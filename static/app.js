// When the server does not answer, htmx says nothing. Say it where it is seen and heard; what was typed stays.
document.addEventListener("htmx:error", function () {
  var place = document.getElementById("failure");
  if (!place) return;
  place.innerHTML =
    '<section class="flash warn mt-s" tabindex="-1" aria-labelledby="h-failure"><h2 id="h-failure" class="h-s">LifeOps did not answer</h2>' +
    "<p>It is not certain that this was saved. Your words are still here: send them again in a minute. They cannot be saved twice.</p></section>";
  place.firstChild.focus();
});
