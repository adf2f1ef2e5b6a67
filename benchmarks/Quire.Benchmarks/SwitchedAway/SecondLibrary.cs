using System.Reflection;
using System.Runtime.Loader;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.SwitchedAway;

/// <summary>One more copy of the library in this process, and of the benchmarks that call it: with tracing, or with tracing switched away.</summary>
/// <remarks>
/// The feature switch is read once, into a static readonly field, so one copy of the library is either the one or the other, and two processes
/// are not side by side. A load context of its own gives a copy of the statics, and of all compiled code. It is not collectible, since the code of
/// collectible ones reaches its statics by another way. The benchmarks' own assembly is loaded into it too, so that both run
/// the same loops, bound to their own library.
/// </remarks>
internal sealed class SecondLibrary : AssemblyLoadContext
{
    private const string Switch = "Quire.Tracing.IsSupported";

    private static readonly string[] s_copied = [typeof(PageAllocator).Assembly.GetName().Name!, typeof(SecondLibrary).Assembly.GetName().Name!];

    private SecondLibrary(string name)
        : base(name, isCollectible: false)
    {
    }

    /// <summary>Loads the copy and opens the work in it.</summary>
    /// <param name="work">What it will do.</param>
    /// <param name="hasTracing">False: the copy reads its switch as false.</param>
    /// <param name="owned">Closes it.</param>
    /// <returns>Does so many operations, and says what one cost in ns.</returns>
    public static Func<int, double> Open(SwitchedWork work, bool hasTracing, Owned owned)
    {
        bool before = !AppContext.TryGetSwitch(Switch, out bool set) || set;
        AppContext.SetSwitch(Switch, hasTracing);
        try
        {
            SecondLibrary context = new($"tracing {(hasTracing ? "present" : "switched away")}");
            Assembly copy = context.LoadFromAssemblyPath(typeof(SecondLibrary).Assembly.Location);
            MethodInfo open = copy.GetType(typeof(SwitchedWorker).FullName!, throwOnError: true)!.GetMethod(nameof(SwitchedWorker.Open))!;

            // Only types of the framework pass between the two: everything else exists twice by now.
            (Func<int, double> run, Action close, bool tracks) = ((Func<int, double>, Action, bool))open.Invoke(null, [(int)work])!;
            owned.Add(new Closing(close));
            return tracks == hasTracing
                ? run
                : throw new InvalidOperationException($"a library with tracing {(hasTracing ? "present" : "switched away")} says otherwise: the two would not differ");
        }
        finally
        {
            AppContext.SetSwitch(Switch, before);
        }
    }

    protected override Assembly? Load(AssemblyName assemblyName) =>
        s_copied.Contains(assemblyName.Name) ? LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, assemblyName.Name + ".dll")) : null;

    private sealed class Closing(Action close) : IDisposable
    {
        public void Dispose() => close();
    }
}
