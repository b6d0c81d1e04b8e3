int zopenmp_work(int n) {
    int sum = 0;
#pragma omp parallel for num_threads(2) reduction(+ : sum)
    for (int i = 0; i < 8; i++) sum += i;
    return sum == 28 ? n + 1 : sum;
}
