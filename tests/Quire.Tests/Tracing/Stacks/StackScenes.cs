using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using Xunit;

namespace Quire.Tests.Tracing.Stacks;

/// <summary>Stacks that no walk should see. Run by <see cref="StackHostileTests"/>; each capture is held against the runtime's own trace.</summary>
internal static unsafe class StackScenes
{
    private static readonly int s_seed = Random.Shared.Next();

    [ThreadStatic]
    private static Random? t_random;

    [ThreadStatic]
    private static Exception? t_failure;

    [ThreadStatic]
    private static int t_depth;

    private static Random Random => t_random ??= new Random(s_seed + Environment.CurrentManagedThreadId);

    public static void Native_callbacks_in_native_callbacks() => For(700, SortAll);

    public static void Frame_registers_with_anything_in_them() => For(1000, () =>
    {
        ulong* buffer = stackalloc ulong[64];
        for (int i = 0; i < 64; i++)
        {
            // Chains that go on, go back, end nowhere or lead into garbage.
            buffer[i] = Random.Next(4) switch
            {
                0 => (ulong)(buffer + Random.Next(64)),
                1 => (ulong)Random.NextInt64(),
                2 => (ulong)(buffer + i) + (ulong)Random.Next(65536),
                _ => 0,
            };
        }

        ulong outside = (ulong)Marshal.AllocHGlobal(64);
        ulong register = Random.Next(8) switch
        {
            0 => 0,
            1 => (ulong)Random.NextInt64() | (Random.Next(2) == 0 ? 0 : 1ul << 63),
            2 => (ulong)(buffer + Random.Next(64)),
            3 => (ulong)buffer + (ulong)Random.Next(512),
            4 => outside,
            5 => StackThread.Low + StackThread.Span - (ulong)Random.Next(64),
            6 => StackThread.Low + (ulong)Random.Next(1 << 16),
            _ => StackSupport.Reader() + (8 * (ulong)Random.Next(64)),
        };
        int answer = NativeThunk.CallWith(register, &Callback);
        Marshal.FreeHGlobal((nint)outside);
        Rethrow();
        Assert.Equal(5, answer);
    });

    public static void A_stack_outside_the_threads_own()
    {
        const int Size = 1 << 20;

        // Below all thread stacks.
        byte* fibre = (byte*)NativeThunk.Map((void*)0x10_0000_0000, Size, 3, 0x22, -1, 0);
        Assert.True((nint)fibre != -1);

        // The frame register leads up, below the end of the thread's stack, to where nothing may be read.
        byte* end = fibre + (Size / 2);
        Assert.Equal(0, NativeThunk.Protect(end, Size / 2, 0));
        for (int i = 0; i < 100; i++)
        {
            StackOracle.Check();
            Assert.Equal(5, NativeThunk.CallOn((ulong)end - 64, (ulong)end + 64, &OnFibre));
        }

        StackOracle.Check();
    }

    public static void Ten_thousand_frames()
    {
        StackOracle.OnThread(() => Recurse(10_000), 64 << 20);

        // What is called at the end is compiled before: the compiler needs more stack than is left there.
        Assert.True(StackCapture.Refused >= 0);
        Assert.Equal(0u, StackCapture.Take(0) * 0u);
        StackOracle.OnThread(ToTheEnd, 1 << 20);
    }

    public static void Methods_compiled_again_while_they_run() => For(1000, () =>
    {
        int sum = 0;
        for (int i = 0; i < 200; i++)
        {
            sum += Loops.Step(i, i % 50 == 0);
        }

        GC.KeepAlive(sum);
    });

    public static void Contexts_unloaded_and_their_addresses_used_again()
    {
        List<WeakReference> contexts = [];
        StackOracle.OnThread(() =>
        {
            for (int i = 0; i < 25; i++)
            {
                contexts.Add(RunPlugin(i));
                Collect();
            }
        });
        for (int i = 0; i < 20 && contexts.Any(context => context.IsAlive); i++)
        {
            Collect();
        }

        // A capture keeps nobody's code in memory.
        Assert.DoesNotContain(contexts, context => context.IsAlive);
    }

    public static void Dynamic_methods_whose_addresses_are_used_again() => For(800, () =>
    {
        for (int i = 0; i < 20; i++)
        {
            RunDynamic(i);
        }

        Collect();
    });

    public static void Collections_that_suspend_threads_at_any_point()
    {
        long unstable = StackDepot.Store.Unstable;
        bool stop = false;
        Thread[] collectors = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                GC.Collect(0);
                GC.KeepAlive(new byte[1000]);
            }
        }))];
        Array.ForEach(collectors, thread => thread.Start());
        try
        {
            StressRun.RunFor(TimeSpan.FromSeconds(1), random => Deeper(random.Next(1, 20)), () => Deeper(3));
        }
        finally
        {
            Volatile.Write(ref stop, true);
            Array.ForEach(collectors, thread => thread.Join());
        }

        // A return address replaced by a collection makes no stack of its own.
        Assert.Equal(0, StackDepot.Store.Unstable - unstable);
    }

    public static void Threads_that_come_and_go() => For(700, () =>
    {
        Exception? failure = null;
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(i => new Thread(() => Interlocked.CompareExchange(ref failure, Record.Exception(() => Deeper(i)), null), 256 * 1024))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Null(failure);
    });

    public static void All_of_it_at_once() => StressRun.RunFor(
        TimeSpan.FromSeconds(1),
        random =>
        {
            switch (random.Next(5))
            {
                case 0: SortAll(); break;
                case 1: RunDynamic(random.Next(5)); break;
                case 2: Deeper(random.Next(30)); break;
                case 3: Assert.Equal(5, NativeThunk.CallWith((ulong)random.NextInt64(), &Callback)); Rethrow(); break;
                default: Loops.Step(random.Next(50), true); break;
            }
        },
        () => GC.Collect(0));

    private static void For(int milliseconds, Action action)
    {
        long end = Environment.TickCount64 + milliseconds;
        Exception? failure = null;
        StackOracle.OnThread(() =>
        {
            while (Environment.TickCount64 < end && failure is null)
            {
                failure = Record.Exception(action);
            }
        });

        Assert.True(failure is null, $"seed {s_seed}: {failure}");
        StackDepot.Store.Verify();
    }

    // An exception must not pass native frames.
    private static void Rethrow()
    {
        Exception? failure = t_failure;
        t_failure = null;
        Assert.Null(failure);
    }

    private static void SortAll()
    {
        int* items = stackalloc int[40];
        for (int i = 0; i < 40; i++)
        {
            items[i] = Random.Next();
        }

        NativeThunk.Sort(items, 40, sizeof(int), &Compare);
        Rethrow();
        for (int i = 1; i < 40; i++)
        {
            Assert.True(items[i - 1] <= items[i]);
        }
    }

    [UnmanagedCallersOnly]
    private static int Compare(void* left, void* right)
    {
        t_failure = Record.Exception(() =>
        {
            if (++t_depth < 4 && Random.Next(20) == 0)
            {
                SortAll();
            }

            if (Random.Next(10) == 0)
            {
                StackOracle.Check();
            }
            else
            {
                _ = StackCapture.Take(StackOracle.Site);
            }
        }) ?? t_failure;
        t_depth--;
        return (*(int*)left).CompareTo(*(int*)right);
    }

    [UnmanagedCallersOnly]
    private static int Callback()
    {
        t_failure = Record.Exception(() => StackOracle.Check()) ?? t_failure;
        return 5;
    }

    [UnmanagedCallersOnly]
    private static int OnFibre()
    {
        return StackCapture.Take(StackOracle.Site) == 0 ? 5 : 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Recurse(int depth)
    {
        uint number = StackCapture.Take(StackOracle.Site);
        if (depth % 2500 == 0)
        {
            StackOracle.Check();
        }

        // As deep as that, the first 128 are shown, and that there are more.
        Assert.True(depth > 9800 || (number != 0 && StackDepot.Of(number).IsPartial && StackDepot.Of(number).Frames.Count is > 120 and <= StackWalk.MaximumFrames));
        return depth == 0 ? 0 : Recurse(depth - 1) + 1;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ToTheEnd()
    {
        byte here = 0;
        ulong left = (ulong)&here - StackThread.Low;
        _ = StackCapture.Take(StackOracle.Site);
        if (StackThread.Low == 0 || left > 24 * 1024)
        {
            ToTheEnd();
            GC.KeepAlive(left);
            return;
        }

        // Here the runtime's own trace has no room any more. A new stack is refused, not the process's end.
        long refused = StackCapture.Refused;
        Assert.Equal(0u, StackCapture.Take(StackOracle.Site + 1));
        Assert.True(StackCapture.Refused > refused);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Deeper(int depth)
    {
        if (depth > 0)
        {
            return Deeper(depth - 1) + 1;
        }

        StackOracle.Check();
        return 0;
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RunDynamic(int number)
    {
        // Another name and another size each time, so that the same address is another place in another method.
        DynamicMethod method = new($"Dynamic{Random.Next(1000)}", typeof(int), [typeof(int)], typeof(StackScenes));
        ILGenerator code = method.GetILGenerator();
        for (int i = 0; i < number; i++)
        {
            code.Emit(OpCodes.Ldarg_0);
            code.Emit(OpCodes.Call, ((Func<int, int>)Nothing).Method);
            code.Emit(OpCodes.Pop);
        }

        code.Emit(OpCodes.Ldc_I4_3);
        code.Emit(OpCodes.Call, ((Func<int, int>)Deeper).Method);
        code.Emit(OpCodes.Ldc_I4_1);
        code.Emit(OpCodes.Add);
        code.Emit(OpCodes.Ret);
        Assert.Equal(4, method.CreateDelegate<Func<int, int>>()(5));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Nothing(int value) => value;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference RunPlugin(int number)
    {
        // Made without a compiler: one that is itself compiled first takes ten seconds under some of the settings.
        PersistedAssemblyBuilder assembly = new(new AssemblyName($"plugin{number}"), typeof(object).Assembly);
        TypeBuilder type = assembly.DefineDynamicModule("m").DefineType($"Plugin{number}", TypeAttributes.Public);
        ILGenerator code = type.DefineMethod($"Call{number}", MethodAttributes.Public | MethodAttributes.Static, typeof(int), [typeof(Func<int, int>), typeof(object)]).GetILGenerator();
        for (int i = 0; i < number % 7; i++)
        {
            code.Emit(OpCodes.Ldarg_1);
            code.Emit(OpCodes.Call, typeof(GC).GetMethod(nameof(GC.KeepAlive))!);
        }

        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Ldc_I4_3);
        code.Emit(OpCodes.Callvirt, typeof(Func<int, int>).GetMethod("Invoke")!);
        code.Emit(OpCodes.Ldc_I4_1);
        code.Emit(OpCodes.Add);
        code.Emit(OpCodes.Ret);
        _ = type.CreateType();
        using MemoryStream image = new();
        assembly.Save(image);
        image.Position = 0;
        AssemblyLoadContext context = new($"plugin{number}", isCollectible: true);
        MethodInfo call = context.LoadFromStream(image).GetType($"Plugin{number}")!.GetMethod($"Call{number}")!;
        Func<Func<int, int>, object, int> method = call.CreateDelegate<Func<Func<int, int>, object, int>>();
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(4, method(Deeper, call));
        }

        context.Unload();
        return new WeakReference(context);
    }

    /// <summary>Small methods with and without frames, loops that are replaced while they run, calls through delegates and interfaces.</summary>
    private static class Loops
    {
        private static readonly Func<int, bool, int> s_through = Through;
        private static readonly Action<int, bool> s_twice = (Action<int, bool>)((i, check) => Small(i, check)) + ((i, check) => Small(i, check));
        private static readonly Comparer<(int I, bool Check)> s_comparer = Comparer<(int I, bool Check)>.Create((x, _) => Small(x.I, x.Check));

        [MethodImpl(MethodImplOptions.NoInlining)]
        internal static int Step(int i, bool check)
        {
            int sum = 0;
            for (int j = 0; j < 60; j++)
            {
                bool now = check && j % 29 == 0;
                sum += j % 3 == 0 ? s_through(i, now) : s_comparer.Compare((i, now), default);
            }

            s_twice(i, check);
            return sum + Small(i, check);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static int Through(int i, bool check) => Small(i, check) + 1;

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static int Small(int i, bool check) => Smaller(i + 1, check) - 1;

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static int Smaller(int i, bool check)
        {
            int sum = 0;
            for (int j = 0; j < 3; j++)
            {
                sum += check && j == 2 ? (int)(StackOracle.Check() & 1) : i;
            }

            return sum;
        }
    }
}
