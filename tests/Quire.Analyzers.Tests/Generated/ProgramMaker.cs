namespace Quire.Analyzers.Tests.Generated;

/// <summary>Makes up methods that take, copy, use, keep and release, in loops, branches and tries; right and wrong as chance has it.</summary>
internal sealed class ProgramMaker(int seed)
{
    private readonly Random _random = new(seed);
    private readonly List<string> _handles = ["a", "b"];
    private int _names;

    /// <summary>Every branch of the method made last.</summary>
    internal List<Step> Branches { get; } = [];

    internal Block Make()
    {
        Branches.Clear();
        _names = 0;
        return new Block(Steps(_random.Next(4, 9), 0, inLoop: false, inFinally: false));
    }

    private List<Step> Steps(int count, int depth, bool inLoop, bool inFinally)
    {
        List<Step> steps = [];
        for (int i = 0; i < count; i++)
        {
            steps.Add(One(depth, inLoop, inFinally));
        }

        return steps;
    }

    private Block Body(int depth, bool inLoop, bool inFinally) => new(Steps(_random.Next(1, 4), depth + 1, inLoop, inFinally));

    private Step One(int depth, bool inLoop, bool inFinally)
    {
        int kind = _random.Next(depth >= 3 ? 20 : 32);
        string v = Handle(), w = Handle();
        switch (kind)
        {
            case < 4:
                return new Simple($"{v} = cache.Allocate(1);", (world, line) => world.Set(v, world.Take(line)));
            case < 8:
                return new Simple($"{v}.Free();", (world, line) => world.Free(v, line));
            case 8:
                return new Simple($"cache.Free({v});", (world, line) => world.Free(v, line));
            case < 11:
                return new Simple($"{v}.Span.Clear();", (world, line) => world.Use(v, line));
            case 11:
                return new Simple($"{v} = {w};", (world, _) => world.Set(v, world.Get(w)));
            case 12:
                return new Simple($"Keep({v});", (world, _) => world.Keep(v));
            case 13:
                return new Simple($"{v} = default;", (world, _) => world.Set(v, 0));
            case 14:
                return new Simple($"s = {v}.Span;", (world, line) =>
                {
                    world.Use(v, line);
                    world.View = world.Get(v);
                });
            case 15:
                return new Simple("s.Clear();", (world, line) => world.Use(world.View, 6, line));
            case 16:
                bool set = _random.Next(2) == 0;
                return new Simple($"x = {(set ? "true" : "false")};", (world, _) => world.Flags["x"] = set);
            case 17:
                return new Simple("x = n > 2;", (world, _) => world.Flags["x"] = world.N > 2);
            case 18:
                return new Simple($"x = cache.TryAllocate(1, out {v}, out _);", (world, line) =>
                {
                    bool taken = world.Maybe();
                    world.Set(v, taken ? world.Take(line) : 0);
                    world.Flags["x"] = taken;
                });
            case 19:
                return inFinally ? new Simple(";", (_, _) => { })
                    : inLoop && _random.Next(3) != 0 ? (_random.Next(2) == 0 ? new Simple("if (Maybe()) { break; }", (_, _) => { }, Signal.Break).OrNext() : new Simple("if (Maybe()) { continue; }", (_, _) => { }, Signal.Continue).OrNext())
                    : new Simple("if (Maybe()) { return; }", (_, _) => { }, Signal.Return).OrNext();
            case < 26:
                (string text, Func<World, int, bool> ask) = Question(v);
                If branch = new(text, ask, Body(depth, inLoop, inFinally), _random.Next(2) == 0 ? Body(depth, inLoop, inFinally) : null);
                Branches.Add(branch);
                return branch;
            case 26:
                Loop loop = new("while (Maybe())", (world, _) => world.Maybe(), _ => { }, _ => { }, Body(depth, inLoop: true, inFinally));
                Branches.Add(loop);
                return loop;
            case 27:
                int number = _names++;
                Loop counted = new(
                    $"for (int i{number} = 0; i{number} < n; i{number}++)",
                    (world, _) => world.Counters[number] < world.N,
                    world => world.Counters[number] = 0,
                    world => world.Counters[number]++,
                    Body(depth, inLoop: true, inFinally));
                Branches.Add(counted);
                return counted;
            case < 30:
                return Scoped(depth, inLoop, inFinally);
            default:
                return inFinally ? new Simple(";", (_, _) => { }) : new TryFinally(Body(depth, inLoop: false, inFinally: false), Body(depth, inLoop: false, inFinally: true));
        }
    }

    /// <summary>A local of a block's own, which dies with it.</summary>
    private Block Scoped(int depth, bool inLoop, bool inFinally)
    {
        string local = "d" + _names++;
        List<Step> steps = [new Simple($"PageFragment {local} = cache.Allocate(1);", (world, line) => world.Set(local, world.Take(line)))];
        _handles.Add(local);
        steps.AddRange(Steps(_random.Next(1, 4), depth + 1, inLoop, inFinally));
        if (_random.Next(2) == 0)
        {
            steps.Add(new Simple($"{local}.Free();", (world, line) => world.Free(local, line)));
        }

        _handles.Remove(local);
        return new Block(steps, local);
    }

    private (string Text, Func<World, int, bool> Ask) Question(string v) => _random.Next(11) switch
    {
        0 => ("p", static (world, _) => world.P),
        1 => ("!p", static (world, _) => !world.P),
        2 => ("q", static (world, _) => world.Q),
        3 => ("x", static (world, _) => world.Flags.GetValueOrDefault("x")),
        4 => ("!x", static (world, _) => !world.Flags.GetValueOrDefault("x")),
        5 => ("n > 0", static (world, _) => world.N > 0),
        6 => ("n <= 0", static (world, _) => world.N <= 0),
        7 => ("n == 2", static (world, _) => world.N == 2),
        8 => ($"{v} != default", (world, _) => world.Get(v) != 0),
        9 => ($"{v}.IsAlive", (world, _) => world.IsAlive(v)),
        _ => ("Maybe()", static (world, _) => world.Maybe()),
    };

    private string Handle() => _handles[_random.Next(_handles.Count)];
}

internal static class SimpleExtensions
{
    /// <summary>The statement where the world says so, and nothing otherwise.</summary>
    internal static Step OrNext(this Simple step) => new Perhaps(step);

    private sealed class Perhaps(Simple step) : Step
    {
        internal override void Write(Page page) => step.Write(page);

        internal override Signal Run(World world) => world.Maybe() ? step.Run(world) : Signal.Next;
    }
}
