using System.Text;

namespace Quire.Analyzers.Tests.Generated;

/// <summary>A statement of a made-up method: it writes itself down, and can be run.</summary>
internal abstract class Step
{
    /// <summary>The line that it stands on, from 1.</summary>
    internal int Line { get; private set; }

    internal abstract void Write(Page page);

    internal abstract Signal Run(World world);

    /// <summary>Both ways of a branch.</summary>
    internal IEnumerable<(int, bool)> Ways => [(Line, true), (Line, false)];

    protected void Add(Page page, string text)
    {
        Line = page.Add(text);
    }

    /// <summary>The text that grows line by line.</summary>
    internal sealed class Page
    {
        private readonly StringBuilder _text = new();
        private int _lines;

        internal int Add(string line)
        {
            _text.Append(line).Append('\n');
            return ++_lines;
        }

        public override string ToString() => _text.ToString();
    }
}

/// <summary>How control goes on after a statement.</summary>
internal enum Signal
{
    Next,
    Break,
    Continue,
    Return,
}

/// <summary>A statement of one line.</summary>
internal sealed class Simple(string text, Action<World, int> run, Signal signal = Signal.Next) : Step
{
    internal override void Write(Page page) => Add(page, text);

    internal override Signal Run(World world)
    {
        run(world, Line);
        return signal;
    }
}

/// <summary>Statements in braces; a local that is declared in it dies with it.</summary>
internal sealed class Block(List<Step> steps, string? local = null) : Step
{
    internal override void Write(Page page)
    {
        Add(page, "{");
        steps.ForEach(step => step.Write(page));
        page.Add("}");
    }

    internal override Signal Run(World world)
    {
        Signal signal = Signal.Next;
        foreach (Step step in steps)
        {
            signal = step.Run(world);
            if (signal != Signal.Next)
            {
                break;
            }
        }

        if (local is not null)
        {
            world.Set(local, 0);
        }

        return signal;
    }
}

/// <summary>A question with two ways, each of which must be gone on some path for the program to count.</summary>
internal sealed class If(string condition, Func<World, int, bool> ask, Block yes, Block? no) : Step
{
    internal override void Write(Page page)
    {
        Add(page, $"if ({condition})");
        yes.Write(page);
        if (no is not null)
        {
            page.Add("else");
            no.Write(page);
        }
    }

    internal override Signal Run(World world)
    {
        bool answer = ask(world, Line);
        world.Ways.Add((Line, answer));
        return answer ? yes.Run(world) : no?.Run(world) ?? Signal.Next;
    }

}

internal sealed class Loop(string head, Func<World, int, bool> ask, Action<World> begin, Action<World> next, Block body) : Step
{
    internal override void Write(Page page)
    {
        Add(page, head);
        body.Write(page);
    }

    internal override Signal Run(World world)
    {
        begin(world);
        while (true)
        {
            bool answer = ask(world, Line);
            world.Ways.Add((Line, answer));
            if (!answer)
            {
                return Signal.Next;
            }

            Signal signal = body.Run(world);
            if (signal == Signal.Break)
            {
                return Signal.Next;
            }

            if (signal == Signal.Return)
            {
                return signal;
            }

            next(world);
        }
    }
}

internal sealed class TryFinally(Block body, Block last) : Step
{
    internal override void Write(Page page)
    {
        Add(page, "try");
        body.Write(page);
        page.Add("finally");
        last.Write(page);
    }

    internal override Signal Run(World world)
    {
        Signal signal = body.Run(world);
        last.Run(world);
        return signal;
    }
}

/// <summary>One run: what each local holds, how each reference stands, and what went wrong at which line.</summary>
internal sealed class World(bool p, bool q, int n, Func<bool> maybe)
{
    private readonly Dictionary<string, int> _handles = [];
    private readonly List<(int Site, bool Live, bool Silent)> _references = [default];

    internal bool P { get; } = p;

    internal bool Q { get; } = q;

    internal int N { get; } = n;

    internal Dictionary<string, bool> Flags { get; } = [];

    internal Dictionary<int, int> Counters { get; } = [];

    /// <summary>The reference whose span <c>s</c> is.</summary>
    internal int View { get; set; }

    internal HashSet<(int Line, bool Answer)> Ways { get; } = [];

    /// <summary>What is wrong: 1 a leak of what the line took, 2 a second release, 3 a use after, 6 a stale view.</summary>
    internal HashSet<(int Rule, int Line)> Wrong { get; } = [];

    internal bool Maybe() => maybe();

    internal int Get(string name) => _handles.GetValueOrDefault(name);

    internal int Take(int line)
    {
        _references.Add((line, true, false));
        return _references.Count - 1;
    }

    internal void Set(string name, int reference)
    {
        int before = Get(name);
        _handles[name] = reference;
        Lost(before);
    }

    internal void Free(string name, int line)
    {
        int reference = Get(name);
        if (reference == 0 || _references[reference].Silent)
        {
            return;
        }

        if (!_references[reference].Live)
        {
            Wrong.Add((2, line));
            return;
        }

        _references[reference] = _references[reference] with { Live = false };
    }

    internal void Use(string name, int line) => Use(Get(name), 3, line);

    internal void Use(int reference, int rule, int line)
    {
        if (reference != 0 && !_references[reference].Live && !_references[reference].Silent)
        {
            Wrong.Add((rule, line));
        }
    }

    /// <summary>Somebody else has it: nothing is wrong with it from here on.</summary>
    internal void Keep(string name) => Silence(Get(name));

    internal bool IsAlive(string name) => Get(name) != 0 && (_references[Get(name)].Silent ? Maybe() : _references[Get(name)].Live);

    internal void End()
    {
        foreach (string name in _handles.Keys.ToArray())
        {
            Set(name, 0);
        }
    }

    private void Silence(int reference)
    {
        if (reference != 0)
        {
            _references[reference] = _references[reference] with { Silent = true };
        }
    }

    private void Lost(int reference)
    {
        if (reference != 0 && !_handles.ContainsValue(reference) && _references[reference] is { Live: true, Silent: false } lost)
        {
            Wrong.Add((1, lost.Site));
        }
    }
}
