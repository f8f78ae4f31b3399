// Code blocks inside <div class="tabs"> or <div class="side"> become tabs, one for each language. Without this script all of
// them are there, one below the other.
'use strict';

(() => {
    const NAMES = { c: 'C', python: 'Python', cpp: 'C++', js: 'Node', rust: 'Rust', toml: 'Rust' };
    const WIDE = matchMedia('(min-width: 1500px)'); // as in guide.css
    const KEPT = 'nanomsg-guide-language';
    const groups = [];

    function languageOf(pre) {
        const code = pre.querySelector('code[class*="language-"]');
        const found = code && [...code.classList].find((name) => name.startsWith('language-'));
        return NAMES[found ? found.slice('language-'.length) : ''] || 'Other';
    }

    function show(group, language) {
        const shown = group.languages.includes(language) ? language : group.languages[0];
        const all = group.element.classList.contains('side') && WIDE.matches;
        group.names.hidden = all;
        group.names.style.display = all ? 'none' : '';
        for (const button of group.names.children) {
            button.setAttribute('aria-selected', String(button.textContent === shown));
        }
        for (const pre of group.blocks) pre.hidden = !all && languageOf(pre) !== shown;
    }

    function remembered() {
        try {
            return localStorage.getItem(KEPT);
        } catch {
            return null; // where pages may keep nothing
        }
    }

    function choose(language) {
        try {
            localStorage.setItem(KEPT, language);
        } catch {
            // as above
        }
        groups.forEach((group) => show(group, language));
    }

    for (const element of document.querySelectorAll('.tabs, .side')) {
        const blocks = [...element.children].filter((child) => child.tagName === 'PRE');
        const languages = [...new Set(blocks.map(languageOf))];
        if (languages.length < 2) continue;
        const names = document.createElement('div');
        names.className = 'tab-names';
        names.setAttribute('role', 'tablist');
        for (const language of languages) {
            const button = document.createElement('button');
            button.type = 'button';
            button.textContent = language;
            button.setAttribute('role', 'tab');
            button.addEventListener('click', () => choose(language));
            names.append(button);
        }
        element.before(names);
        element.classList.add('by-tab');
        groups.push({ element, blocks, languages, names });
    }

    const refresh = () => groups.forEach((group) => show(group, remembered()));
    WIDE.addEventListener('change', refresh);
    refresh();
})();
